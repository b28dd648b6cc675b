using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Platform.Local.Sidecar.Resources;

/// <summary>One YAML document of kind Component, Subscription, Resiliency, HTTPEndpoint or Configuration.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="ApiVersion">Its version.</param>
/// <param name="Root">All of it.</param>
internal sealed record ResourceDocument(string Kind, string ApiVersion, YamlMap Root)
{
    private static readonly string[] Kinds = ["Component", "Configuration", "HTTPEndpoint", "Resiliency", "Subscription"];

    /// <summary>Name of the resource.</summary>
    public string Name => (Root.Map("metadata") ?? throw Root.Error("'metadata' is missing.")).RequiredText("name");

    /// <summary>The settings.</summary>
    public YamlMap Spec => Root.Map("spec") ?? throw Root.Error("'spec' is missing.");

    /// <summary>True if the resource is for this app: it names it, or nobody.</summary>
    public bool IsFor(string appId) => Root.Texts("scopes") is var scopes && (scopes.Count == 0 || scopes.Contains(appId));

    /// <summary>Reads folders (their YAML files, not those of folders within) and files, in the order of their names.</summary>
    /// <exception cref="ResourceException">A document is not one of Dapr's kinds.</exception>
    /// <exception cref="SidecarException">A path does not exist.</exception>
    public static IReadOnlyList<ResourceDocument> ReadAll(IEnumerable<string> paths, ILogger log) => [.. paths.SelectMany(FilesOf).SelectMany(file => Read(file, log))];

    /// <summary>Reads the documents of one file; a file that is no YAML is left out with a warning, as with daprd.</summary>
    /// <exception cref="ResourceException">A document is not one of Dapr's kinds.</exception>
    public static IReadOnlyList<ResourceDocument> Read(string file, ILogger log)
    {
        try
        {
            return Parse(file);
        }
        catch (YamlFileException e)
        {
            SidecarLog.ResourceUnreadable(log, file, e.Message);
            return [];
        }
    }

    /// <summary>Reads the documents of one file.</summary>
    /// <exception cref="YamlFileException">It is no YAML.</exception>
    /// <exception cref="ResourceException">A document is not one of Dapr's kinds.</exception>
    public static IReadOnlyList<ResourceDocument> Parse(string file)
    {
        var yaml = new YamlStream();
        try
        {
            using var text = File.OpenText(file);
            yaml.Load(text);
        }
        catch (YamlException e)
        {
            throw new YamlFileException(file, e.Start.Line, "not YAML: " + e.Message);
        }

        return [.. yaml.Documents.Where(document => document.RootNode is YamlMappingNode).Select(document => Of(new YamlMap(file, (YamlMappingNode)document.RootNode)))];
    }

    private static ResourceDocument Of(YamlMap root)
    {
        var kind = root.Text("kind");
        if (!Kinds.Contains(kind))
        {
            throw root.ErrorAt("kind", $"kind '{kind}' is not known; expected one of {string.Join(", ", Kinds)}. Take the document out of the resources folder.");
        }

        var version = root.RequiredText("apiVersion");
        return version is "dapr.io/v1alpha1" || (version is "dapr.io/v2alpha1" && kind == "Subscription")
            ? new ResourceDocument(kind!, version, root)
            : throw root.ErrorAt("apiVersion", $"apiVersion '{version}' is not known for a {kind}; expected dapr.io/v1alpha1{(kind == "Subscription" ? " or dapr.io/v2alpha1" : "")}.");
    }

    private static IEnumerable<string> FilesOf(string path)
    {
        if (File.Exists(path))
        {
            return [path];
        }

        return Directory.Exists(path)
            ? Directory.EnumerateFiles(path).Where(file => Path.GetExtension(file).ToLowerInvariant() is ".yaml" or ".yml").Order(StringComparer.Ordinal)
            : throw new SidecarException($"Resources path '{path}' does not exist; create it, or take it out of --resources-path (resourcesPaths in dapr.yaml).");
    }
}
