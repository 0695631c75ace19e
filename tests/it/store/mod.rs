//! The database itself: its schema's rules, row security, migrations, the audit trail.

mod audit;
mod catalogue;
mod filling;
mod migrations;
mod row_security;
mod silence;
mod tenant_deletion;
mod timeline;
