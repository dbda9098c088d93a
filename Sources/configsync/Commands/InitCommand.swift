import ArgumentParser
import Foundation
import GitSource

struct InitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Make a configuration repository that works at once.",
    discussion: """
      Files that are there already are left alone.

      Example:
        configsync init my-config
      """)

  @Argument(help: "The folder; made if missing.")
  var directory = "."

  func run() throws {
    let root = URL(fileURLWithPath: directory)
    do {
      try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
      try GitRepository.create(at: root.path)
      for (path, content) in InitCommand.files {
        let url = root.appendingPathComponent(path)
        guard !FileManager.default.fileExists(atPath: url.path) else {
          print("kept     \(path)")
          continue
        }
        try FileManager.default.createDirectory(
          at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(content.utf8).write(to: url)
        if content.hasPrefix("#!") {
          try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: url.path)
        }
        print("created  \(path)")
      }
    } catch {
      throw CommandFailure(.unknown, "can't set up '\(directory)': \(error)")
    }
    print(
      "\nNext: commit the files, then 'configsync validate', 'configsync test' and 'configsync dev'."
    )
  }

  private static let files: [(String, String)] = [
    (
      "configsync.yaml",
      """
      apiVersion: configsync/v1
      name: default
      root: config
      prefix: /
      encode: leaf
      layers:
        production: [base]
        staging: [base]
      files:
        - match: "**/*.conf"
          encode: raw
        - match: "*/api.yaml"
          schema: schemas/api.schema.json
      policies: [policies/*.jsonnet]

      """
    ),
    (
      "schemas/api.schema.json",
      #"""
      {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["replicas", "log"],
        "additionalProperties": false,
        "properties": {
          "replicas": {"type": "integer", "minimum": 1, "maximum": 100},
          "log": {
            "type": "object",
            "properties": {"level": {"enum": ["debug", "info", "warning", "error"]}}
          },
          "features": {"type": "array", "items": {"type": "string"}, "uniqueItems": true}
        }
      }

      """#
    ),
    (
      "policies/replicas.jsonnet",
      #"""
      // Asked about every commit: config has the keys that it publishes, previous those of the commit before.
      function(config, previous) [
        {
          key: key,
          message: 'replicas may at most double from one commit to the next',
        }
        for key in std.objectFields(config)
        if std.endsWith(key, '/replicas') && std.objectHas(previous, key)
           && config[key] > 2 * previous[key]
      ]

      """#
    ),
    (
      "policies/replicas_test.jsonnet",
      #"""
      // Run by 'configsync test'.
      local policy = import 'replicas.jsonnet';
      {
        'a new key is fine': policy({ '/production/api/replicas': 50 }, {}) == [],
        'twice as many are fine':
          policy({ '/production/api/replicas': 6 }, { '/production/api/replicas': 3 }) == [],
        'more are not': {
          actual: [
            finding.key
            for finding in
              policy({ '/production/api/replicas': 7 }, { '/production/api/replicas': 3 })
          ],
          expected: ['/production/api/replicas'],
        },
      }

      """#
    ),
    (
      "config/base/api.yaml",
      """
      # Lies below every namespace that names it under 'layers' in configsync.yaml.
      replicas: 1
      log:
        level: warning
      features: [search]

      """
    ),
    (
      "config/production/api.yaml",
      """
      # Becomes /production/api/replicas, /production/api/log/level, and so on.
      replicas: 3
      log:
        level: warning
      features: [search, export]

      """
    ),
    (
      "config/production/proxy.conf",
      """
      # Published byte for byte as /production/proxy.conf.
      listen 8080;

      """
    ),
    (
      "config/staging/api.yaml",
      """
      log:
        level: debug

      """
    ),
    (
      ".github/workflows/configsync.yaml",
      """
      # Checks every pull request and shows what it would change; needs no access to the cluster.
      on: [pull_request]
      permissions: {contents: read}
      jobs:
        validate:
          runs-on: ubuntu-latest
          steps:
            - uses: actions/checkout@v4
              with: {fetch-depth: 0}
            - run: configsync validate --rev HEAD --base HEAD^1 -o github
            - run: configsync test --rev HEAD
            - name: plan
              if: always()
              # Exit code 1 says that something would change.
              run: configsync plan --base HEAD^1 -o markdown >> "$GITHUB_STEP_SUMMARY" || [ $? -eq 1 ]

      """
    ),
    (
      ".gitlab-ci.yml",
      """
      # Checks every merge request and keeps what it would change; needs no access to the cluster.
      validate:
        rules:
          - if: $CI_PIPELINE_SOURCE == "merge_request_event"
        variables: {GIT_DEPTH: 0}
        script:
          - configsync validate --rev HEAD --base "$CI_MERGE_REQUEST_DIFF_BASE_SHA" -o junit > validate.xml
          - configsync test --rev HEAD -o junit > test.xml
          # Exit code 1 says that something would change.
          - configsync plan --base "$CI_MERGE_REQUEST_DIFF_BASE_SHA" -o markdown > plan.md || [ $? -eq 1 ]
        artifacts:
          when: always
          paths: [plan.md]
          reports: {junit: [validate.xml, test.xml]}

      """
    ),
    (
      ".githooks/pre-commit",
      """
      #!/bin/sh
      # Checks the working tree before a commit. Switched on by: git config core.hooksPath .githooks
      exec configsync validate

      """
    ),
  ]
}
