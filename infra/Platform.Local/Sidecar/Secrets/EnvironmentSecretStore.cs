using System.Collections;
using Platform.Local.Sidecar.Resources;

namespace Platform.Local.Sidecar.Secrets;

/// <summary><c>secretstores.local.env</c>: a missing variable is an empty secret; Dapr's own variables are never given out.</summary>
internal sealed class EnvironmentSecretStore(ComponentResource resource, Func<string, string?> variable) : ISecretStore
{
    private readonly string _prefix = resource.Find("prefix") ?? "";

    public IReadOnlyDictionary<string, string>? Find(string name) =>
        new Dictionary<string, string> { [name] = IsHidden(_prefix + name) ? "" : variable(_prefix + name) ?? "" };

    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> All() => Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
        .Select(entry => (string)entry.Key)
        .Where(name => name.StartsWith(_prefix, StringComparison.Ordinal) && !IsHidden(name))
        .ToDictionary(name => name[_prefix.Length..], name => Find(name[_prefix.Length..])!, StringComparer.Ordinal);

    private static bool IsHidden(string name) =>
        name.StartsWith("DAPR_", StringComparison.OrdinalIgnoreCase) || string.Equals(name, "APP_API_TOKEN", StringComparison.OrdinalIgnoreCase);
}
