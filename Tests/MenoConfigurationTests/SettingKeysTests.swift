import MenoConfiguration
import MenoErrors
import Testing

struct SettingKeysTests {
    /// An error that named a key which does not exist would send its reader on a search.
    @Test func settingsHaveTheNamesOfKeysThatExist() {
        let known = Set(ConfigurationKey.all.map(\.path))
        for setting in Setting.allCases {
            #expect(known.isSuperset(of: setting.keys), "\(setting)")
        }
        #expect(Setting.maxLength.keys == ["data.max_length"])
        #expect(Setting.warmup.keys == ["training.warmup_steps", "training.warmup_ratio"])
    }
}
