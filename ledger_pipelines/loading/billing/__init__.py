"""Load the billing application's customers, prices, deposits and readings into the warehouse."""
