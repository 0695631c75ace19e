mod client;
mod command;
mod readers;
mod remote;
mod rights;
mod secrets;
mod whole;
