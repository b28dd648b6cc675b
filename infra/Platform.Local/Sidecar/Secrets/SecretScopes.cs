using Platform.Local.Sidecar.Resources;

namespace Platform.Local.Sidecar.Secrets;

/// <summary>Which secrets of one store the app may read, from the Configuration.</summary>
internal sealed class SecretScopes
{
    private readonly Dictionary<string, (bool Deny, IReadOnlyList<string> Allowed, IReadOnlyList<string> Denied)> _stores = new(StringComparer.Ordinal);

    public SecretScopes(YamlMap? configuration)
    {
        foreach (var scope in configuration?.Map("secrets")?.Maps("scopes") ?? [])
        {
            _stores[scope.RequiredText("storeName")] = (scope.Text("defaultAccess") == "deny", scope.Texts("allowedSecrets"), scope.Texts("deniedSecrets"));
        }
    }

    /// <summary>A list of allowed ones is exclusive; a denied one is denied whatever the default says.</summary>
    public bool Allows(string store, string name)
    {
        if (!_stores.TryGetValue(store, out var scope))
        {
            return true;
        }

        return scope.Allowed.Count > 0 ? scope.Allowed.Contains(name) : !scope.Deny && !scope.Denied.Contains(name);
    }
}
