//! Two tenants on one service and one database, who share whatever can be shared. They never meet.

mod attacks;
mod floods;
mod neighbours;
mod pool;
mod pools;
