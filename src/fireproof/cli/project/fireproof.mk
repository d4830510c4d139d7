# Add to your Makefile:  include fireproof.mk
FIREPROOF ?= fireproof
ENVIRONMENT ?= mine

.PHONY: drills-check drills-doctor

drills-check: ## look for mistakes in drill and environment files; nothing runs
	@$(FIREPROOF) check

drills-doctor: ## what is missing on this machine
	@$(FIREPROOF) doctor

lab-drill-%: ## one drill in the built-in lab: make lab-drill-restart-database
	@$(FIREPROOF) run drills/$*.yaml --with-lab

drill-%: ## one drill on your own system: make drill-restart-database ENVIRONMENT=mine
	@$(FIREPROOF) run drills/$*.yaml -e $(ENVIRONMENT)
