import CBuildID

/// The build of the running program, with that of each library that it has loaded.
public enum ProgramIdentity {
  /// The GNU build ids of all that is loaded, in the order of loading; nil if one of them has none, since then
  /// nobody can tell whether it is the same.
  ///
  /// The kernel's own part is left out: nothing of it decides what a file holds.
  public static func current() -> String? {
    var objects = Objects()
    withUnsafeMutablePointer(to: &objects) { pointer in
      cbuildid_visit(
        { objects, name, notes, size, alignment in
          objects?.assumingMemoryBound(to: Objects.self).pointee.add(
            name.map { String(cString: $0) } ?? "",
            UnsafeRawBufferPointer(start: notes, count: size), alignment: alignment)
        }, pointer)
    }
    let identifiers = objects.found.map(\.identifier)
    guard !identifiers.isEmpty, !identifiers.contains(nil) else { return nil }
    return identifiers.compactMap(\.self).joined(separator: " ")
  }

  private struct Objects {
    var found: [(name: String, identifier: String?)] = []

    mutating func add(_ name: String, _ notes: UnsafeRawBufferPointer, alignment: Int) {
      guard !name.hasPrefix("linux-vdso"), !name.hasPrefix("linux-gate") else { return }
      let identifier = ProgramIdentity.identifier(inNotes: notes, alignment: max(4, alignment))
      // The segments of one object follow each other.
      if let last = found.last, last.name == name {
        found[found.count - 1].identifier = last.identifier ?? identifier
      } else {
        found.append((name, identifier))
      }
    }
  }

  /// NT_GNU_BUILD_ID.
  private static let buildID: UInt32 = 3

  /// Each note has the sizes of its name and of what it says, its type, and then both, padded (System V gABI,
  /// chapter 5).
  static func identifier(inNotes bytes: UnsafeRawBufferPointer, alignment: Int) -> String? {
    func padded(_ size: Int) -> Int { (size + alignment - 1) / alignment * alignment }
    var rest = bytes[...]
    while rest.count >= 12 {
      let words = (0..<3).map { word in
        UnsafeRawBufferPointer(rebasing: rest)
          .loadUnaligned(fromByteOffset: 4 * word, as: UInt32.self)
      }
      let (nameSize, size) = (Int(words[0]), Int(words[1]))
      let description = padded(12 + nameSize)
      guard description + size <= rest.count else { return nil }
      if words[2] == buildID, rest.dropFirst(12).prefix(nameSize).elementsEqual("GNU\0".utf8) {
        return rest.dropFirst(description).prefix(size)
          .map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
      }
      rest = rest.dropFirst(padded(description + size))
    }
    return nil
  }
}
