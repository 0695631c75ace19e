mod admin_codes;
mod bodies;
mod bytes;
mod codes;
mod cors;
mod limits;
mod refusals;
mod tokens;
