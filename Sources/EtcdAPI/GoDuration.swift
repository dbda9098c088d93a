extension Duration {
  /// Hours, minutes and seconds as Go writes them: `1h30m`, `1.5h`, `90s`; at most a hundred years.
  package init?(goText text: String) {
    let units: [Character: Double] = ["h": 3600, "m": 60, "s": 1]
    var total = 0.0
    var number = ""
    for character in text {
      if let unit = units[character] {
        guard let value = Double(number), value >= 0 else { return nil }
        total += value * unit
        number = ""
      } else {
        number.append(character)
      }
    }
    guard number.isEmpty, !text.isEmpty, total < 100 * 366 * 86400 else { return nil }
    self = .seconds(total)
  }
}
