mod book;
mod customer;
mod families;
mod score;
mod whole;
mod windows;
