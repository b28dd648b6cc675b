namespace Platform.Local.Sidecar.Secrets;

/// <summary>Named secrets, each a map of keys to values.</summary>
internal interface ISecretStore
{
    /// <summary>A secret; null if there is none.</summary>
    IReadOnlyDictionary<string, string>? Find(string name);

    /// <summary>All secrets.</summary>
    IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> All();
}
