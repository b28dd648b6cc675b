using System.Text.Json;
using System.Text.RegularExpressions;

namespace Platform.Local.FunctionsHost.App;

/// <summary>The app's settings: the host's options, then the process environment, then <c>local.settings.json</c>; the first that has a name wins.</summary>
internal sealed partial class AppSettings
{
    private readonly Dictionary<string, string> _values = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>What the handler gets on top of the environment that it inherits.</summary>
    public Dictionary<string, string> Additions { get; } = new(StringComparer.Ordinal);

    /// <summary>Origins that may call from a browser.</summary>
    public CorsSettings Cors { get; private set; } = CorsSettings.None;

    public string? this[string name] => _values.GetValueOrDefault(name);

    /// <summary>Every setting whose name starts with <paramref name="prefix"/>.</summary>
    public IEnumerable<KeyValuePair<string, string>> WithPrefix(string prefix) =>
        _values.Where(setting => setting.Key.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));

    /// <exception cref="FunctionAppException"><c>local.settings.json</c> is broken or encrypted.</exception>
    public static AppSettings Load(string appRoot, IReadOnlyDictionary<string, string> options)
    {
        var settings = new AppSettings();
        foreach (var (name, value) in ReadFile(Path.Combine(appRoot, "local.settings.json"), settings))
        {
            settings._values[name] = value;
            if (Environment.GetEnvironmentVariable(name) is null)
            {
                settings.Additions[name] = value;
            }
        }

        foreach (System.Collections.DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            settings._values[(string)variable.Key] = (string?)variable.Value ?? "";
        }

        foreach (var (name, value) in options)
        {
            settings._values[name] = settings.Additions[name] = value;
        }

        return settings;
    }

    /// <summary>Replaces each <c>%NAME%</c> by the setting of that name; unknown names stay as they are.</summary>
    public string Expand(string text) => NamePattern().Replace(text, match => this[match.Groups["name"].Value] ?? match.Value);

    /// <summary>The connection that a binding names: empty is <c>AzureWebJobsStorage</c>; a name is tried with the prefix <c>AzureWebJobs</c> first.</summary>
    public string? Connection(string? name)
    {
        name = string.IsNullOrEmpty(name) ? "AzureWebJobsStorage" : Expand(name);
        return this["AzureWebJobs" + name] ?? this[name] ?? this["ConnectionStrings:" + name];
    }

    private static Dictionary<string, string> ReadFile(string path, AppSettings settings)
    {
        var values = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        if (!File.Exists(path))
        {
            return values;
        }

        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path), new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                throw new FunctionAppException($"{path} is a JSON {root.ValueKind}; expected an object with IsEncrypted and Values.");
            }

            if (!root.TryGetProperty("IsEncrypted", out var encrypted) || encrypted.ValueKind != JsonValueKind.False)
            {
                throw new FunctionAppException($"{path} is encrypted, or does not say: a missing IsEncrypted counts as true. Add \"IsEncrypted\": false, or run 'func settings decrypt'.");
            }

            settings.Cors = root.TryGetProperty("Host", out var host) && host.ValueKind == JsonValueKind.Object ? CorsSettings.Read(host, path) : CorsSettings.None;
            Read(root, "Values", "", path, values);
            Read(root, "ConnectionStrings", "ConnectionStrings:", path, values);
            return values;
        }
        catch (JsonException exception)
        {
            throw new FunctionAppException($"{path} is not JSON: {exception.Message}", exception);
        }
        catch (InvalidOperationException exception)
        {
            throw new FunctionAppException($"{path} has text that is no Unicode, half a surrogate pair perhaps: {exception.Message}", exception);
        }
    }

    private static void Read(JsonElement root, string section, string prefix, string path, Dictionary<string, string> values)
    {
        if (!root.TryGetProperty(section, out var members) || members.ValueKind == JsonValueKind.Null)
        {
            return;
        }

        if (members.ValueKind != JsonValueKind.Object)
        {
            throw new FunctionAppException($"{path}: {section} is a JSON {members.ValueKind}; expected an object of names and texts.");
        }

        foreach (var member in members.EnumerateObject().Where(member => member.Value.ValueKind != JsonValueKind.Null))
        {
            values[prefix + member.Name] = member.Value.ValueKind == JsonValueKind.String
                ? member.Value.GetString()!
                : throw new FunctionAppException($"{path}: {section}.{member.Name} is {member.Value.GetRawText()}; settings are strings. Put it in quotes.");
        }
    }

    [GeneratedRegex("%(?<name>[^%]+)%", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex NamePattern();
}
