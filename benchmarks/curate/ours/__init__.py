"""The project's own stages under the same conditions as the peers: shards in, removals out, two processes."""
