pub mod config;
pub mod ipvs;
pub mod model;
pub mod plan;
