mod book;
mod by_day;
mod customer;
mod families;
mod score;
mod whole;
mod windows;
