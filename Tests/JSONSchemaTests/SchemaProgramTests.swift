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

  // MARK: - What a reviewer found

  @Test(arguments: ["(?:){1073741824}", "(?:(?:){30000}){30000}", "(?:a{0}){1073741824}"])
  func whatMatchesNothingIsNotWrittenOut(pattern: String) throws {
    #expect(try Pattern(pattern).program.count < 10)
  }

  @Test func aRelativeReferenceMeansTheFileBesideTheOneThatRefers() throws {
    let root = try SchemaSuiteTests.parse(
      Array(
        #"{"properties": {"p": {"$ref": "a/root.json"}, "q": {"$ref": "b/root.json"}}}"#.utf8), "s")
    let texts = [
      "test:///a/root.json": #"{"$id": "https://e.x/ra.json", "$ref": "common.json"}"#,
      "test:///b/root.json": #"{"$id": "https://e.x/rb.json", "$ref": "common.json"}"#,
      "test:///a/common.json": #"{"type": "string"}"#,
      "test:///b/common.json": #"{"type": "integer"}"#,
    ]
    let (program, problems) = SchemaProgram.compile(
      SchemaDocument(uri: "test:///s.json", root: root)
    ) { request in
      let folder = String(request.source.prefix(upTo: request.source.lastIndex(of: "/")!)) + "/"
      for uri in [request.uri, folder + request.reference] {
        if let text = texts[uri], let root = try? SchemaSuiteTests.parse(Array(text.utf8), uri) {
          return SchemaDocument(uri: uri, root: root)
        }
      }
      return nil
    }
    #expect(problems.isEmpty)
    let value = try SchemaSuiteTests.parse(Array(#"{"p": 1, "q": 1}"#.utf8), "v")
    #expect(program?.check(value).findings.map(\.path) == [[.key("p")]])
  }

  @Test func aFileThatNamesNoDraftIsReadAs2020() throws {
    let main =
      ##"{"$schema": "http://json-schema.org/draft-07/schema#", "items": {"$ref": "c.json"}}"##
    let root = try SchemaSuiteTests.parse(Array(main.utf8), "s")
    let other = try SchemaSuiteTests.parse(
      Array(#"{"prefixItems": [{"type": "string"}]}"#.utf8), "c")
    let (program, _) = SchemaProgram.compile(SchemaDocument(uri: "test:///s.json", root: root)) {
      SchemaDocument(uri: $0.uri, root: other)
    }
    let value = try SchemaSuiteTests.parse(Array("[[1]]".utf8), "v")
    #expect(program?.check(value).findings.map(\.kind) == [.type])
  }

  @Test func whatAReferenceReachesOutsideOfAllKeywordsIsCheckedToo() throws {
    let schema = ##"{"components": {"X": {"uniqueItems": "true"}}, "$ref": "#/components/X"}"##
    #expect(try compile(schema).problems.map(\.kind) == [.malformed])
  }

  @Test(arguments: [
    #"{"$defs": {"a": {"$id": "x:/a"}, "b": {"$id": "x:/a"}}}"#,
    #"{"$defs": {"a": {"$anchor": "a"}, "b": {"$anchor": "a"}}}"#,
  ])
  func aNameThatTwoSchemasHaveIsAnError(schema: String) throws {
    #expect(try compile(schema).problems.map(\.kind) == [.malformed])
  }

  @Test func aMetaschemaMayBeWrittenInItself() throws {
    let schema = #"{"$schema": "https://e.x/meta", "$id": "https://e.x/meta", "type": "object"}"#
    #expect(try compile(schema).problems.isEmpty)
  }

  @Test func wordsAreLookedForAFewTimesOnly() throws {
    let names = (0..<1500).map { "\"name\($0)\"" }.joined(separator: ",")
    let others = (0..<1500).map { "\"mane\($0)\": 1" }.joined(separator: ",")
    let found = try findings("{\"required\": [\(names)]}", "{\(others)}")
    #expect(found.count == SchemaProgram.findings)
  }

  @Test func longDivisionsCount() throws {
    let items = (0..<200).map { _ in "1e200000" }.joined(separator: ",")
    let found = try findings(
      #"{"items": {"multipleOf": 1234567890123456789}}"#, "[\(items)]")
    #expect(found.map(\.kind) == [.limit])
  }
}
