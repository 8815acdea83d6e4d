"""What must survive a crash: rollouts and their steps, the inventory, the stable pointer, the quarantine."""
