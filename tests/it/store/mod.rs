//! The database itself: its schema's rules, row security, migrations, the audit trail.

mod audit;
mod bouncer;
mod catalogue;
mod connector;
mod filling;
mod migrations;
mod months;
mod places;
mod roles;
mod rounds;
mod row_security;
mod servers;
mod silence;
mod tenant_deletion;
mod timeline;
