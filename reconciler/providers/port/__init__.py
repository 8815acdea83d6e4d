"""Ports: the register of who may listen where. Claims only: nothing here changes the host."""
