/// The JSON Schemas of this program's own files, for editors; the program itself checks them with better messages.
public enum ConfigurationSchema {
  /// Of configsync.yaml.
  public static let configuration = #"""
    {
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "title": "configsync.yaml",
      "description": "What a configuration repository publishes, and how.",
      "type": "object",
      "required": ["apiVersion"],
      "additionalProperties": false,
      "properties": {
        "apiVersion": {"const": "configsync/v1"},
        "name": {
          "description": "The source's name in the store.",
          "type": "string", "pattern": "^(?!\\.\\.?$)[A-Za-z0-9._-]+$", "default": "default"
        },
        "root": {
          "description": "The directory that holds the namespaces.",
          "type": "string", "pattern": "^[^/]", "default": "."
        },
        "prefix": {
          "description": "Where the keys live; two sources may not overlap.",
          "type": "string", "pattern": "^/", "default": "/"
        },
        "encode": {
          "description": "How files become keys.",
          "$ref": "#/$defs/encoding", "default": "leaf"
        },
        "files": {
          "description": "Rules for files; the first that matches wins.",
          "type": "array",
          "items": {
            "type": "object",
            "required": ["match"],
            "additionalProperties": false,
            "properties": {
              "match": {
                "description": "A pattern as in .gitignore, relative to root.",
                "type": "string", "minLength": 1
              },
              "encode": {"$ref": "#/$defs/encoding"},
              "ignore": {
                "description": "Leaves the file out, unparsed.",
                "type": "boolean", "default": false
              },
              "schema": {
                "description": "A JSON Schema, relative to configsync.yaml.",
                "type": "string", "minLength": 1
              }
            }
          }
        },
        "layers": {
          "description": "Of each namespace the directories merged under its own files, lowest first.",
          "type": "object",
          "additionalProperties": {
            "type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": true
          }
        },
        "policies": {
          "description": "Patterns of Jsonnet functions (config, previous), relative to configsync.yaml.",
          "type": "array", "items": {"type": "string", "minLength": 1}
        },
        "owners": {
          "description": "Of each prefix of keys the addresses of the authors who may change it.",
          "type": "object",
          "propertyNames": {"pattern": "^/"},
          "additionalProperties": {
            "type": "array", "minItems": 1,
            "items": {"type": "string", "pattern": "^[^@\\s<>,;]+@[^@\\s<>,;]+$"}
          }
        },
        "prune": {
          "description": "How many keys one commit may delete, unless it has the trailer Configsync-Allow-Prune: true.",
          "type": "object",
          "additionalProperties": false,
          "minProperties": 1,
          "properties": {
            "maxDeletes": {"type": "integer", "minimum": 0},
            "maxDeletePercent": {"type": "integer", "minimum": 0, "maximum": 100}
          }
        },
        "signatures": {"enum": ["none"], "default": "none"},
        "limits": {
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "maxValueBytes": {
              "description": "Up to 8MiB.",
              "oneOf": [
                {"type": "integer", "minimum": 1, "maximum": 8388608},
                {"type": "string", "pattern": "^[1-9][0-9]*(B|KiB|MiB)$"}
              ],
              "default": "1MiB"
            },
            "maxKeys": {"type": "integer", "minimum": 1, "default": 1000000}
          }
        }
      },
      "$defs": {"encoding": {"enum": ["leaf", "document", "raw"]}}
    }

    """#
}
