using Platform.Local.Sidecar.Secrets;

namespace Platform.Local.Sidecar.Resources;

/// <summary>Reads the Components of an app: those in its scope, types checked, values resolved. Secret stores come first, since others may refer to them.</summary>
internal sealed class ComponentLoader(SidecarOptions options)
{
    private readonly Dictionary<string, ISecretStore> _secrets = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ComponentResource> _components = new(StringComparer.Ordinal);

    /// <summary>Secret stores by name.</summary>
    public IReadOnlyDictionary<string, ISecretStore> Secrets => _secrets;

    /// <summary>All components by name.</summary>
    public IReadOnlyDictionary<string, ComponentResource> Components => _components;

    /// <exception cref="ResourceException">A component cannot be honoured.</exception>
    public void Load(IEnumerable<ResourceDocument> documents)
    {
        var mine = documents.Where(document => document.Kind == "Component" && document.IsFor(options.AppId))
            .OrderBy(document => document.Spec.RequiredText("type").StartsWith("secretstores.", StringComparison.Ordinal) ? 0 : 1);
        foreach (var document in mine)
        {
            var resource = Read(document);
            if (!_components.TryAdd(resource.Name, resource))
            {
                throw new ResourceException(resource.File, resource.Line, $"component '{resource.Name}' is there already, from {_components[resource.Name].File}({_components[resource.Name].Line}); give one of them another name.");
            }

            ISecretStore? store = resource.Type switch
            {
                ComponentTypes.SecretsFile => FileSecretStore.Open(resource),
                ComponentTypes.SecretsEnvironment => new EnvironmentSecretStore(resource, options.Variable),
                _ => null,
            };
            if (store is not null)
            {
                _secrets.Add(resource.Name, store);
            }
        }
    }

    private ComponentResource Read(ResourceDocument document)
    {
        var spec = document.Spec;
        var type = spec.RequiredText("type");
        if (!ComponentTypes.All.Contains(type))
        {
            throw spec.ErrorAt("type", $"component '{document.Name}' has type '{type}', which the embedded sidecar does not serve; it serves {string.Join(", ", ComponentTypes.All)}. Run under daprd, or take the component out.");
        }

        var secretStore = document.Root.Map("auth")?.Text("secretStore");
        var metadata = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var entry in spec.Maps("metadata"))
        {
            metadata[entry.RequiredText("name")] = ValueOf(entry, secretStore);
        }

        return new ComponentResource
        {
            Name = document.Name,
            Type = type,
            Version = spec.Text("version") ?? "v1",
            Metadata = metadata,
            File = spec.File,
            Line = spec.LineOf("type"),
        };
    }

    private string ValueOf(YamlMap entry, string? secretStore)
    {
        if (entry.Map("secretKeyRef") is { } reference)
        {
            var name = reference.RequiredText("name");
            var key = reference.Text("key") ?? name;
            if (secretStore is null || !_secrets.TryGetValue(secretStore, out var store))
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
