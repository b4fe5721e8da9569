package import MenoConfiguration
package import MenoReporting

extension RunConfiguration.Reporting.Language {
    /// The language to write the report in.
    package var chosen: ReportLanguage {
        switch self {
        case .automatic: .preferred()
        case .japanese: .japanese
        case .english: .english
        }
    }
}
