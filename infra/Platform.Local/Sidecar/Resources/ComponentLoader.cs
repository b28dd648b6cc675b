using Platform.Local.Sidecar.Secrets;

namespace Platform.Local.Sidecar.Resources;

/// <summary>Reads the Components of an app: those in its scope, types checked, values resolved. Secret stores come first, since others may refer to them.</summary>
internal sealed class ComponentLoader
{
    private readonly SidecarOptions _options;
    private readonly ILogger _log;
    private readonly IReadOnlyList<string> _denied;
    private readonly Dictionary<string, ISecretStore> _secrets = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ComponentResource> _components = new(StringComparer.Ordinal);

    /// <param name="options">The sidecar.</param>
    /// <param name="denied">Types that the Configuration does not want, as <c>type</c> or <c>type/version</c>.</param>
    /// <param name="log">Told of components that are left out because they say <c>ignoreErrors</c>.</param>
    public ComponentLoader(SidecarOptions options, IReadOnlyList<string> denied, ILogger log)
    {
        _options = options;
        _log = log;
        _denied = denied;
        Values = new ValueResolver(options, _secrets);
    }

    /// <summary>Finds the values of settings, with the secret stores that are loaded by then.</summary>
    public ValueResolver Values { get; }

    /// <summary>Secret stores by name.</summary>
    public IReadOnlyDictionary<string, ISecretStore> Secrets => _secrets;

    /// <summary>All components by name.</summary>
    public IReadOnlyDictionary<string, ComponentResource> Components => _components;

    /// <exception cref="ResourceException">A component cannot be honoured, and does not say <c>ignoreErrors</c>.</exception>
    public void Load(IEnumerable<ResourceDocument> documents)
    {
        var mine = documents.Where(document => document.Kind == "Component" && document.IsFor(_options.AppId))
            .OrderBy(document => document.Spec.RequiredText("type").StartsWith("secretstores.", StringComparison.Ordinal) ? 0 : 1);
        foreach (var document in mine)
        {
            try
            {
                Load(document);
            }
            catch (ResourceException e) when (document.Spec.Flag("ignoreErrors") == true)
            {
                SidecarLog.ComponentLeftOut(_log, _options.AppId, e.Message);
            }
        }
    }

    private void Load(ResourceDocument document)
    {
        var resource = Read(document);
        if (!_components.TryAdd(resource.Name, resource))
        {
            throw new ResourceException(resource.File, resource.Line, $"component '{resource.Name}' is there already, from {_components[resource.Name].File}({_components[resource.Name].Line}); give one of them another name.");
        }

        try
        {
            ISecretStore? store = resource.Type switch
            {
                ComponentTypes.SecretsFile => FileSecretStore.Open(resource),
                ComponentTypes.SecretsEnvironment => new EnvironmentSecretStore(resource, _options.Variable),
                _ => null,
            };
            if (store is not null)
            {
                _secrets.Add(resource.Name, store);
            }
        }
        catch
        {
            _components.Remove(resource.Name);
            throw;
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

        var version = spec.Text("version") ?? "v1";
        if (_denied.Contains(type) || _denied.Contains($"{type}/{version}"))
        {
            throw spec.ErrorAt("type", $"component '{document.Name}' has type '{type}', which components.deny of the Configuration excludes. Take one of them out.");
        }

        var secretStore = document.Root.Map("auth")?.Text("secretStore");
        var metadata = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var entry in spec.Maps("metadata"))
        {
            metadata[entry.RequiredText("name")] = Values.Resolve(entry, secretStore);
        }

        return new ComponentResource
        {
            Name = document.Name,
            Type = type,
            Version = version,
            Metadata = metadata,
            File = spec.File,
            Line = spec.LineOf("type"),
        };
    }
}
