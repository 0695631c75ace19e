mod admin_codes;
mod bodies;
mod codes;
mod cors;
mod limits;
mod tokens;
