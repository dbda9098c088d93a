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
        "protect": {
          "description": "Patterns of whole keys that no commit may delete.",
          "type": "array", "maxItems": 100,
          "items": {"type": "string", "pattern": "^/.*[^/]$"}
        },
        "signatures": {
          "description": "Whether every commit must be signed, by SSH or OpenPGP, by somebody whom the reconciler trusts.",
          "enum": ["none", "required"], "default": "none"
        },
        "freeze": {
          "description": "Times in which nothing is applied.",
          "type": "array", "maxItems": 100,
          "items": {
            "type": "object",
            "required": ["cron", "duration"],
            "additionalProperties": false,
            "properties": {
              "cron": {
                "description": "When it begins: minute, hour, day of the month, month, day of the week.",
                "type": "string", "pattern": "^[ \\t]*([^ \\t]+[ \\t]+){4}[^ \\t]+[ \\t]*$"
              },
              "duration": {
                "description": "How long it lasts, as 30m, 60h or 1d12h; up to 366d.",
                "type": "string", "pattern": "^(?=.)([0-9]{1,6}d)?([0-9]{1,6}h)?([0-9]{1,6}m)?$"
              },
              "timezone": {
                "description": "A name of the IANA database.",
                "type": "string", "default": "UTC"
              }
            }
          }
        },
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
