using Platform.Local.Sidecar.Resources;
using Platform.Local.Sidecar.Secrets;

namespace Platform.Local.Sidecar.Configuration;

/// <summary>The Configuration resource of one sidecar. What it says about tracing exporters, metrics, logging and mTLS has no meaning here and is passed over; what would change an answer is honoured or refused.</summary>
internal sealed class SidecarConfiguration
{
    private SidecarConfiguration(YamlMap? spec)
    {
        Api = ApiAccess.Read(spec);
        AccessControl = AccessControl.Read(spec);
        Secrets = new SecretScopes(spec);
        Features = [.. (spec?.Maps("features") ?? []).Where(feature => feature.Flag("enabled") == true).Select(feature => feature.RequiredText("name"))];
        DeniedComponents = spec?.Map("components")?.Texts("deny") ?? [];
        foreach (var pipeline in new[] { "httpPipeline", "appHttpPipeline" })
        {
            if (spec?.Map(pipeline)?.Maps("handlers") is [var handler, ..])
            {
                throw handler.Error($"{pipeline} has the handler '{handler.Text("name")}' ({handler.Text("type")}); the embedded sidecar has no middleware. Run under daprd, or take it out.");
            }
        }
    }

    /// <summary>What holds without a Configuration.</summary>
    public static SidecarConfiguration None { get; } = new(null);

    /// <summary>Which parts of the API the app may use.</summary>
    public ApiAccess Api { get; }

    /// <summary>Which apps may call this one; null: all may.</summary>
    public AccessControl? AccessControl { get; }

    /// <summary>Which secrets the app may read.</summary>
    public SecretScopes Secrets { get; }

    /// <summary>Preview features that are on.</summary>
    public IReadOnlyList<string> Features { get; }

    /// <summary>Component types that may not be loaded, as <c>type</c> or <c>type/version</c>.</summary>
    public IReadOnlyList<string> DeniedComponents { get; }

    /// <summary>Reads the file named by <c>--config</c>.</summary>
    /// <exception cref="ResourceException">It is no YAML, has no Configuration, or asks for something that cannot be honoured.</exception>
    /// <exception cref="SidecarException">It does not exist.</exception>
    public static SidecarConfiguration Load(string? path)
    {
        if (path is null)
        {
            return None;
        }

        if (!File.Exists(path))
        {
            throw new SidecarException($"Configuration file '{path}' does not exist; create it, or leave --config (configFilePath in dapr.yaml) out.");
        }

        var document = ResourceDocument.Parse(path).FirstOrDefault(document => document.Kind == "Configuration")
            ?? throw new ResourceException(path, 1, "there is no document of kind Configuration; name another file with --config (configFilePath in dapr.yaml).");
        return new SidecarConfiguration(document.Spec);
    }
}
