using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Platform.Functions.Hosting;

/// <summary>Makes an output folder a complete function app: completes <c>host.json</c> with the custom handler, and writes <c>{Function}/function.json</c> from the attributes.</summary>
internal static class FunctionAppWriter
{
    /// <summary>Hosts take comments in these files.</summary>
    private static readonly JsonDocumentOptions AsHostsRead = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes into <paramref name="folder"/>, which holds the assembly and the project's <c>host.json</c>. Folders of functions that are gone are removed.</summary>
    public static void Write(Assembly assembly, string folder)
    {
        var functions = FunctionDiscovery.Find(assembly);
        RemoveGone(folder, functions);
        foreach (var function in functions)
        {
            Directory.CreateDirectory(Path.Combine(folder, function.Name));
            File.WriteAllText(Path.Combine(folder, function.Name, "function.json"), function.ToFunctionJson().ToJsonString(Indented) + "\n");
        }

        // Last, because the build takes its time stamp as the sign that all of this is up to date.
        var hostFile = Path.Combine(folder, "host.json");
        var host = JsonNode.Parse(File.ReadAllText(hostFile), documentOptions: AsHostsRead)!.AsObject();
        host["customHandler"] = new JsonObject
        {
            ["description"] = new JsonObject
            {
                ["defaultExecutablePath"] = "dotnet",
                ["arguments"] = new JsonArray(assembly.GetName().Name + ".dll"),
            },
            ["enableForwardingHttpRequest"] = true,
            ["enableProxyingHttpRequest"] = true,
        };
        File.WriteAllText(hostFile, host.ToJsonString(Indented) + "\n");
    }

    private static void RemoveGone(string folder, IReadOnlyList<FunctionDescriptor> functions)
    {
        foreach (var old in Directory.GetDirectories(folder).Where(path => File.Exists(Path.Combine(path, "function.json"))))
        {
            if (functions.All(function => function.Name != Path.GetFileName(old)))
            {
                Directory.Delete(old, recursive: true);
            }
        }
    }
}
