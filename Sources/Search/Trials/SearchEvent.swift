/// What a search tells while it runs.
package enum SearchEvent: Sendable {
  /// The run folder has a search that this one extends; what is other now, in words.
  case extends([String])
  /// The run folder was another machine's, of which there was no sign of life for long; what is to be said of it.
  case takesOver(String)
  /// The run folder is there, and nothing was run yet.
  case begun
  case baseline(share: Double)
  /// The statistics of directions are made.
  case statistics(share: Double)
  case trial(SearchRecord.Trial, TrialProgress)
  /// A rung of the search for a damping; nil while it is measured.
  ///
  /// - Parameter isNew: Whether it is measured now, and not read from the journal.
  case rung(SearchRecord.Rung?, share: Double, isNew: Bool)
  /// The result is measured on both texts.
  case confirmation(share: Double)
}
