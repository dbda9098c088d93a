"""The schemas of made-up services and databases (repository.py)."""
METHODS = ["GET", "PUT", "POST", "PATCH", "DELETE"]
NAME = {"type": "string", "pattern": "^[a-z][a-z0-9-]{1,62}$"}
TEXTS = {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}}
PORT = {"type": "integer", "minimum": 1024, "maximum": 65535}
SETTING = {"type": ["string", "number", "boolean"]}
DIALECT = "https://json-schema.org/draft/2020-12/schema"
SERVICE_SCHEMA = {
    "$schema": DIALECT,
    "title": "A service, how it is run and what it needs",
    "type": "object",
    "required": ["name", "owner", "image", "port", "description"],
    "additionalProperties": False,
    "properties": {
        "name": {"$ref": "#/$defs/name"},
        "owner": {"type": "string", "format": "email"},
        "image": {
            "type": "string", "pattern": "^[a-z0-9.-]+(/[a-z0-9-]+)+:[0-9]+\\.[0-9]+\\.[0-9]+$"},
        "port": {"$ref": "#/$defs/port"},
        "description": {"type": "string", "minLength": 1},
        "tier": {"enum": ["critical", "standard", "batch"]},
        "replicas": {"type": "integer", "minimum": 1, "maximum": 500},
        "resources": {"$ref": "#/$defs/resources"},
        "health": {"$ref": "#/$defs/health"},
        "allowedHosts": {
            "type": "array", "minItems": 1, "uniqueItems": True,
            "items": {"type": "string", "pattern": "^[a-z0-9-]+(\\.[a-z0-9-]+)+$"}},
        "dependencies": {"type": "array", "items": {"$ref": "#/$defs/dependency"}},
        "endpoints": {
            "type": "object", "propertyNames": {"$ref": "#/$defs/name"},
            "additionalProperties": {"$ref": "#/$defs/endpoint"}},
        "flags": {"type": "object", "additionalProperties": {"type": "boolean"}},
        "environment": {
            "type": "object", "propertyNames": {"pattern": "^[A-Z][A-Z0-9_]*$"},
            "additionalProperties": SETTING},
        "annotations": TEXTS,
    },
    "dependentRequired": {"tier": ["replicas"]},
    "if": {"required": ["tier"], "properties": {"tier": {"const": "critical"}}},
    "then": {"properties": {"replicas": {"minimum": 2}}},
    "$defs": {
        "name": NAME,
        "port": PORT,
        "resources": {
            "type": "object", "required": ["cpu", "memory"], "additionalProperties": False,
            "properties": {
                "cpu": {"type": "string", "pattern": "^[1-9][0-9]*m$"},
                "memory": {"type": "string", "pattern": "^[1-9][0-9]*(Mi|Gi)$"}}},
        "health": {
            "type": "object", "required": ["path"], "additionalProperties": False,
            "properties": {
                "path": {"type": "string", "pattern": "^/"},
                "intervalSeconds": {"type": "number", "exclusiveMinimum": 0},
                "failures": {"type": "integer", "minimum": 1, "maximum": 10}}},
        "dependency": {
            "type": "object", "required": ["name", "port"], "additionalProperties": False,
            "properties": {
                "name": {"$ref": "#/$defs/name"},
                "port": {"$ref": "#/$defs/port"},
                "optional": {"type": "boolean"}}},
        "endpoint": {
            "type": "object", "required": ["path", "methods"], "additionalProperties": False,
            "properties": {
                "path": {"type": "string", "pattern": "^/[a-z0-9/-]*$", "maxLength": 200},
                "methods": {
                    "type": "array", "minItems": 1, "uniqueItems": True,
                    "items": {"enum": METHODS}},
                "timeoutMilliseconds": {"type": "integer", "minimum": 1, "maximum": 60_000}}},
    },
}
DATABASE_SCHEMA = {
    "$schema": DIALECT,
    "title": "A database and who may use it",
    "type": "object",
    "required": ["engine", "host", "port", "description"],
    "additionalProperties": False,
    "properties": {
        "engine": {"enum": ["postgres", "mysql", "sqlite"]},
        "host": {"type": "string", "pattern": "^[a-z0-9-]+(\\.[a-z0-9-]+)+$"},
        "port": {"$ref": "#/$defs/port"},
        "description": {"type": "string", "minLength": 1},
        "pool": {
            "type": "object", "required": ["minimum", "maximum"], "additionalProperties": False,
            "properties": {
                "minimum": {"type": "integer", "minimum": 0},
                "maximum": {"type": "integer", "minimum": 1, "maximum": 1000}}},
        "users": {"type": "object", "additionalProperties": {"$ref": "#/$defs/user"}},
        "parameters": {"type": "object", "additionalProperties": SETTING},
        "annotations": TEXTS,
    },
    "$defs": {
        "port": PORT,
        "user": {
            "type": "object", "required": ["role"], "additionalProperties": False,
            "properties": {
                "role": {"enum": ["reader", "writer", "owner"]},
                "schemas": {"type": "array", "items": {"type": "string"}, "minItems": 1}}},
    },
}
