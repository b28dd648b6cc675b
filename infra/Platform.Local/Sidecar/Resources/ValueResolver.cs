using Platform.Local.Sidecar.Secrets;

namespace Platform.Local.Sidecar.Resources;

/// <summary>Finds the value of a setting: written out, in a secret store, or in the environment.</summary>
internal sealed class ValueResolver(SidecarOptions options, IReadOnlyDictionary<string, ISecretStore> secrets)
{
    /// <summary>The value of an entry with <c>value</c>, <c>secretKeyRef</c> or <c>envRef</c>.</summary>
    /// <exception cref="ResourceException">The store or the secret is not there, or the variable may not be read.</exception>
    public string Resolve(YamlMap entry, string? secretStore)
    {
        if (entry.Map("secretKeyRef") is { } reference)
        {
            var name = reference.RequiredText("name");
            var key = reference.Text("key") ?? name;
            if (secretStore is null || !secrets.TryGetValue(secretStore, out var store))
            {
                throw reference.Error($"secret '{name}' is asked of store '{secretStore ?? "(none)"}', which is not loaded; name a secret store in auth.secretStore.");
            }

            return store.Find(name)?.GetValueOrDefault(key) ?? throw reference.Error($"store '{secretStore}' has no secret '{name}' with key '{key}'.");
        }

        if (entry.Text("envRef") is { } variable)
        {
            return variable.StartsWith("DAPR_", StringComparison.Ordinal) || variable == "APP_API_TOKEN"
                ? throw entry.ErrorAt("envRef", $"variable '{variable}' may not be referred to.")
                : options.Variable(variable) ?? "";
        }

        return (entry.Text("value") ?? "")
            .Replace("{uuid}", Guid.NewGuid().ToString(), StringComparison.Ordinal)
            .Replace("{namespace}", "default." + options.AppId, StringComparison.Ordinal)
            .Replace("{appID}", options.AppId, StringComparison.Ordinal)
            .Replace("{podName}", Environment.MachineName, StringComparison.Ordinal);
    }
}
