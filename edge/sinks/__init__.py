"""Where alerts go: a webhook, an MQTT broker. Imported only if one is configured."""
