import ConfigModel
import Testing

@testable import Compiler
@testable import JSONSchema

struct SchemaProgramTests {
  private func compile(
    _ schema: String, _ others: [String: String] = [:]
  ) throws -> (program: SchemaProgram?, problems: [SchemaProblem]) {
    let root = try SchemaSuiteTests.parse(Array(schema.utf8), "schema.json")
    return SchemaProgram.compile(SchemaDocument(uri: "test:///schema.json", root: root)) {
      request in
      guard let text = others[request.uri],
        let root = try? SchemaSuiteTests.parse(Array(text.utf8), request.uri)
      else { return nil }
      return SchemaDocument(uri: request.uri, root: root)
    }
  }

  private func findings(_ schema: String, _ value: String) throws -> [SchemaFinding] {
    let program = try #require(try compile(schema).program)
    return program.check(try SchemaSuiteTests.parse(Array(value.utf8), "value.json")).findings
  }

  @Test func schemasThatOnlyLeadOnToEachOtherHaveAnEnd() throws {
    let schema =
      ##"{"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}"##
    #expect(try findings(schema, "1").map(\.kind) == [.limit])
  }

  @Test func schemasThatMultiplyHaveAnEnd() throws {
    let links = (0..<40).map { level in
      ##""d\##(level)": {"allOf": [{"$ref": "#/$defs/d\##(level + 1)"}, {"$ref": "#/$defs/d\##(level + 1)"}]}"##
    }
    let schema =
      ##"{"$defs": {\##(links.joined(separator: ", ")), "d40": {}}, "$ref": "#/$defs/d0"}"##
    #expect(try findings(schema, "1").map(\.kind) == [.limit])
  }

  @Test func findingsSayWhereTheyAre() throws {
    let found = try findings(
      #"{"properties": {"a": {"items": {"type": "integer"}}}}"#, #"{"a": [1, "x"]}"#)
    #expect(found.map(\.path) == [[.key("a"), .item(1)]])
    #expect(found.map(\.span.start.column) == [11])
    #expect(found.map(\.keyword.start.column) == [33])
  }

  @Test(arguments: [
    (#"{"type": "intger"}"#, [SchemaProblem.Kind.malformed]),
    (##"{"$ref": "#/$defs/none"}"##, [.unresolved]),
    (#"{"$ref": "other.json"}"#, [.unresolved]),
    (#"{"$schema": "http://json-schema.org/draft-04/schema#"}"#, [.draft]),
    (#"{"propertes": {}}"#, [.suspicious]),
    (#"{"pattern": "("}"#, [.malformed]),
    (#"{"properties": {"a": 1}}"#, [.malformed]),
    ("[]", [.malformed]),
  ])
  func whatIsWrongWithASchemaIsSaidOnce(schema: String, kinds: [SchemaProblem.Kind]) throws {
    let (program, problems) = try compile(schema)
    #expect(problems.map(\.kind) == kinds)
    #expect((program == nil) == (kinds != [.suspicious]))
  }

  @Test func theAlternativeThatWasMeantIsExplained() throws {
    let schema = """
      {"oneOf": [
        {"properties": {"kind": {"const": "tcp"}, "port": {"type": "integer"}}},
        {"properties": {"kind": {"const": "unix"}, "path": {"type": "string"}}}
      ]}
      """
    let found = try findings(schema, #"{"kind": "tcp", "port": "x", "path": 1}"#)
    #expect(found.map(\.path) == [[.key("port")]])
    let neither = try findings(schema, #"{"kind": "udp"}"#)
    #expect(neither.map(\.kind) == [.mismatch])
  }

  @Test func keysThatOnlyLookAlikeStayApart() throws {
    // Composed and decomposed.
    let schema =
      #"{"properties": {"caf\u00e9": {"type": "integer"}}, "additionalProperties": false}"#
    #expect(try findings(schema, #"{"caf\u00e9": 1}"#).isEmpty)
    #expect(try findings(schema, #"{"cafe\u0301": 1}"#).map(\.kind) == [.unknownKey])
  }
}
