using Platform.Local.Sidecar.PubSub;
using Platform.Local.Sidecar.Resiliency;
using Platform.Local.Sidecar.Secrets;

namespace Platform.Local.Sidecar.Resources;

/// <summary>Everything that one sidecar read from its resource files.</summary>
internal sealed record SidecarResources
{
    /// <summary>Components by name.</summary>
    public required IReadOnlyDictionary<string, ComponentResource> Components { get; init; }

    /// <summary>Secret stores by name.</summary>
    public required IReadOnlyDictionary<string, ISecretStore> Secrets { get; init; }

    /// <summary>Subscriptions, resiliencies and endpoints that are for this app.</summary>
    public required IReadOnlyList<ResourceDocument> Others { get; init; }

    /// <summary>The <c>spec</c> of the Configuration; null if there is none.</summary>
    public required YamlMap? Configuration { get; init; }

    /// <summary>Reads and checks all of it.</summary>
    /// <exception cref="SidecarException">Something cannot be honoured; the message has file and line.</exception>
    public static SidecarResources Load(SidecarOptions options, ILogger log)
    {
        try
        {
            var documents = ResourceDocument.ReadAll(options.ResourcesPaths, log);
            var loader = new ComponentLoader(options);
            loader.Load(documents);
            return new SidecarResources
            {
                Components = loader.Components,
                Secrets = loader.Secrets,
                Others = [.. documents.Where(document => document.Kind is not ("Component" or "Configuration") && document.IsFor(options.AppId))],
                Configuration = options.ConfigPath is null ? null : ReadConfiguration(options.ConfigPath, log),
            };
        }
        catch (ResourceException e)
        {
            throw new SidecarException($"The sidecar of '{options.AppId}' cannot start. {e.Message}", e);
        }
    }

    /// <summary>The Resiliency resources.</summary>
    /// <exception cref="SidecarException">One cannot be honoured.</exception>
    public ResiliencyPolicies Policies(TimeProvider time) => Checked(() => new ResiliencyPolicies(Others, time));

    /// <summary>The Subscription resources.</summary>
    /// <exception cref="SidecarException">One cannot be honoured.</exception>
    public IReadOnlyList<Subscription> Subscriptions() => Checked(() => Others.Where(document => document.Kind == "Subscription").Select(SubscriptionReader.Declarative).ToList());

    /// <summary>Whether the Configuration turns a feature on.</summary>
    public bool HasFeature(string name) => Configuration?.Maps("features").Any(feature => feature.Text("name") == name && feature.Flag("enabled") == true) == true;

    private static T Checked<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (ResourceException e)
        {
            throw new SidecarException($"The sidecar cannot start. {e.Message}", e);
        }
    }

    private static YamlMap? ReadConfiguration(string path, ILogger log) => File.Exists(path)
        ? ResourceDocument.Read(path, log).FirstOrDefault(document => document.Kind == "Configuration")?.Root.Map("spec")
        : throw new SidecarException($"Configuration file '{path}' does not exist; create it, or leave --config (configFilePath in dapr.yaml) out.");
}
