using Platform.Local.Sidecar.Configuration;
using Platform.Local.Sidecar.Invocation;
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

    /// <summary>The Configuration; one that changes nothing if there is none.</summary>
    public required SidecarConfiguration Configuration { get; init; }

    /// <summary>HTTPEndpoint resources.</summary>
    public required IReadOnlyList<HttpEndpoint> Endpoints { get; init; }

    /// <summary>Reads and checks all of it.</summary>
    /// <exception cref="SidecarException">Something cannot be honoured; the message has file and line.</exception>
    public static SidecarResources Load(SidecarOptions options, ILogger log)
    {
        try
        {
            var documents = ResourceDocument.ReadAll(options.ResourcesPaths, log);
            var configuration = SidecarConfiguration.Load(options.ConfigPath);
            var loader = new ComponentLoader(options, configuration.DeniedComponents, log);
            loader.Load(documents);
            List<ResourceDocument> others = [.. documents.Where(document => document.Kind is not ("Component" or "Configuration") && document.IsFor(options.AppId))];
            return new SidecarResources
            {
                Components = loader.Components,
                Secrets = loader.Secrets,
                Others = others,
                Configuration = configuration,
                Endpoints = [.. others.Where(document => document.Kind == "HTTPEndpoint").Select(document => HttpEndpoint.Of(document, loader.Values))],
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
}
