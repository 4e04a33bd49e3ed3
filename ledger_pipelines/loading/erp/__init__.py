"""Copy the ERP's tables into the warehouse: plan, staging, merge and proof."""
