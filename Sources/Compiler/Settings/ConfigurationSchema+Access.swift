extension ConfigurationSchema {
  /// Of access.yaml: roles, each a list of prefixes with what may be done below them, and who has them. The file itself
  /// is refused by this version, since nobody would enforce it yet.
  public static let access = #"""
    {
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "title": "access.yaml",
      "description": "Who may read and write which keys of the store.",
      "type": "object",
      "required": ["apiVersion"],
      "additionalProperties": false,
      "properties": {
        "apiVersion": {"const": "configsync/v1"},
        "roles": {
          "description": "Of each role what it may do.",
          "type": "object",
          "propertyNames": {"pattern": "^[A-Za-z0-9._-]+$"},
          "additionalProperties": {
            "type": "array", "minItems": 1,
            "items": {
              "type": "object",
              "required": ["prefix", "access"],
              "additionalProperties": false,
              "properties": {
                "prefix": {
                  "description": "A key, or with a slash at its end all keys in a folder.",
                  "type": "string", "pattern": "^/"
                },
                "access": {"enum": ["read", "write", "readwrite"]}
              }
            }
          }
        },
        "bindings": {
          "description": "Who has which role.",
          "type": "array",
          "items": {
            "type": "object",
            "required": ["role", "identities"],
            "additionalProperties": false,
            "properties": {
              "role": {"type": "string", "pattern": "^[A-Za-z0-9._-]+$"},
              "identities": {
                "description": "Names of users, addresses, or names in certificates.",
                "type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}
              }
            }
          }
        }
      }
    }

    """#
}
