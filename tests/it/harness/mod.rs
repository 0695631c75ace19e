//! What every test stands on.

pub(crate) mod admins;
pub(crate) mod app;
mod audit_guard;
pub(crate) mod bouncer;
mod certificates;
pub(crate) mod cli;
mod conversations;
pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod npm;
pub(crate) mod openapi;
pub(crate) mod openid;
pub(crate) mod people;
mod policies;
pub(crate) mod postgres;
pub(crate) mod prometheus;
pub(crate) mod redis;
pub(crate) mod repeats;
pub(crate) mod servers;
pub(crate) mod smtp;
pub(crate) mod sql;
pub(crate) mod tenants;
pub(crate) mod wait;
pub(crate) mod wire;

pub(crate) use app::{
    PLATFORM_KEY, TestApp, TestOptions, context, errors, full_text, pointers, problem, spawn,
    spawn_patient, spawn_with,
};
