//! What the operator sets: `config/default.toml` (compiled in), then `config/<environment>.toml`,
//! then environment variables. Everything is read once, checked at once and typed; all mistakes
//! are reported together.

mod database_url;
mod environment;
mod error;
mod keys;
mod layers;
mod load;
mod mail_url;
mod master_key;
mod read;
mod redis_url;
mod reference;
mod sections;
mod settings;
mod web_proxy;

pub use database_url::{
    DatabaseHost, DatabasePlace, DatabaseTarget, DatabaseTls, DatabaseUrl, DatabaseUrlFault,
};
pub use environment::environment;
pub use error::{ConfigError, ConfigErrors};
pub use load::{MigrateSettings, Settings};
pub use mail_url::{MailSecurity, MailSender, MailUrl};
pub use master_key::{MasterKey, MasterKeys};
pub use redis_url::RedisUrl;
pub use reference::reference;
pub use settings::{
    AnamSettings, AuthSettings, ConsoleSettings, DatabaseSettings, LedgerSettings, LimitSettings,
    LogFormat, LogSettings, MailSettings, MetricsSettings, RedisSettings, ServerSettings,
    TraceSampler, TraceSettings,
};
pub use web_proxy::{Bypass, WebProxy};
