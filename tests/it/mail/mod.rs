//! Mail to people who administer, handed to a real mail server.

mod invitations;
mod password_resets;
mod transport;
