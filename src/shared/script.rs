//! Scripts that Redis runs as one step. It keeps those that it has run and knows them by their names; after its restart it has none.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisResult, ToRedisArgs, cmd};

use crate::crypto::digest::script_name;

/// A script in Lua.
pub(super) struct Script {
    code: &'static str,
    name: String,
}

impl Script {
    pub(super) fn new(code: &'static str) -> Self {
        Self {
            code,
            name: script_name(code),
        }
    }

    /// Runs it, and sends its text only if Redis does not have it.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        mut connection: MultiplexedConnection,
        keys: &[String],
        args: &[impl ToRedisArgs],
    ) -> RedisResult<T> {
        let call = |command: &str, script: &str| -> Cmd {
            let mut call = cmd(command);
            call.arg(script).arg(keys.len()).arg(keys).arg(args);
            call
        };
        let known = call("EVALSHA", &self.name);
        match known.query_async(&mut connection).await {
            Err(error) if error.code() == Some("NOSCRIPT") => {
                call("EVAL", self.code).query_async(&mut connection).await
            }
            done => done,
        }
    }
}
