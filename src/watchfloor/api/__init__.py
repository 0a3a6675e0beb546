"""HTTP of headless nodes: is this node well, what does it count, and pings of heartbeats. Off unless configured."""
