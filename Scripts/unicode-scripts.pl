#!/usr/bin/perl
# Prints Sources/JSONSchema/Pattern/ScriptTable.swift from the Unicode tables of this Perl.
use strict;
use warnings;
use Unicode::UCD qw(prop_invlist prop_invmap prop_value_aliases);

my ($starts, $values) = prop_invmap("Script");
my %ranges;
for my $i (0 .. $#$starts) {
  my $end = $i < $#$starts ? $starts->[ $i + 1 ] - 1 : 0x10ffff;
  push @{ $ranges{ $values->[$i] } }, sprintf("%x %x", $starts->[$i], $end)
    if $values->[$i] ne "Unknown";
}
my @words;
for my $script (sort keys %ranges) {
  my %seen;
  my @names = grep { /^[A-Za-z_]+$/ && !$seen{$_}++ } ($script, prop_value_aliases("Script", $script));
  push @words, join(",", @names) . ":", map({ split / / } @{ $ranges{$script} });
}
# Binary properties that Swift's library lacks; their names can't be those of scripts.
for my $property (["Emoji_Component", "EComp"], ["Extended_Pictographic", "ExtPict"],
  ["Pattern_Syntax", "Pat_Syn"], ["Regional_Indicator", "RI"]) {
  my @list = prop_invlist($property->[0]);
  my @pairs;
  for (my $i = 0; $i < @list; $i += 2) {
    push @pairs, sprintf("%x", $list[$i]), sprintf("%x", ($list[$i + 1] // 0x110000) - 1);
  }
  push @words, join(",", map { "=$_" } @$property) . ":", @pairs;
}
my (@lines, $line);
for my $word (@words) {
  if (!defined $line) { $line = $word }
  elsif (length($line) + length($word) > 94) { push @lines, $line; $line = $word }
  else { $line .= " $word" }
}
push @lines, $line;
my $text = join "\n", map { "    $_" } @lines;
print <<"SWIFT";
/// The ranges of each script (property `Script` of Unicode 14), by its names.
///
/// Made by `Scripts/unicode-scripts.pl`.
enum ScriptTable {
  /// In order; nil if there is no such script.
  static func ranges(of name: String) -> [ClosedRange<UInt32>]? {
    name.hasPrefix("=") ? nil : table[name]
  }

  /// Of a binary property that the standard library does not have.
  static func ranges(ofProperty name: String) -> [ClosedRange<UInt32>]? { table["=" + name] }

  private static let table: [String: [ClosedRange<UInt32>]] = {
    var table: [String: [ClosedRange<UInt32>]] = [:]
    var names: [String] = []
    var first: UInt32?
    for word in text.split(whereSeparator: \\.isWhitespace) {
      if word.hasSuffix(":") {
        names = word.dropLast().split(separator: ",").map(String.init)
      } else if let number = UInt32(word, radix: 16) {
        guard let start = first else {
          first = number
          continue
        }
        for name in names { table[name, default: []].append(start...number) }
        first = nil
      }
    }
    return table
  }()

  /// The names of a script, and pairs of hexadecimal numbers: where a range begins and ends.
  private static let text = """
$text
    """
}
SWIFT
