mod client;
mod command;
mod remote;
mod rights;
mod secrets;
mod whole;
