"""How values are shown: pure functions from a plan, a problem or a rollout to text, markdown, annotations or JSON."""
