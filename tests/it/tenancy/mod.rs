//! Two tenants on one service and one database, who share whatever can be shared. They never meet.

mod attacks;
mod floods;
mod growth;
mod neighbours;
mod pool;
mod pools;
mod tenfold;
