using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Platform.Local.FunctionsHost.App;

/// <summary>Reads the function folders of an app. A broken <c>function.json</c> turns off that function alone.</summary>
internal static partial class FunctionAppReader
{
    private static readonly JsonDocumentOptions Lenient = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, AllowDuplicateProperties = false };

    /// <summary>The functions in load order, which is the order of their folders; or those that <c>host.json</c> declares itself.</summary>
    /// <exception cref="FunctionAppException">The app has both kinds, or declares routes for another runtime.</exception>
    public static IReadOnlyList<FunctionDefinition> Read(string appRoot, AppSettings settings, HostSettings host)
    {
        var functions = ReadFolders(appRoot, settings, host.Functions);
        if (host.Routes.Routes.Count == 0)
        {
            return functions;
        }

        return functions.Count > 0
                ? throw new FunctionAppException($"host.json declares routes (customHandler.http or configurationProfile), and there are folders with function.json: {string.Join(", ", functions.Select(function => function.Name))}. An app has one or the other.")
            : !"custom".Equals(settings["FUNCTIONS_WORKER_RUNTIME"], StringComparison.OrdinalIgnoreCase)
                ? throw new FunctionAppException($"host.json declares routes (customHandler.http or configurationProfile), which needs FUNCTIONS_WORKER_RUNTIME to be 'custom'; found '{settings["FUNCTIONS_WORKER_RUNTIME"]}'.")
            : host.Routes.ToFunctions();
    }

    private static List<FunctionDefinition> ReadFolders(string appRoot, AppSettings settings, IReadOnlyList<string> filter)
    {
        var functions = new List<FunctionDefinition>();
        foreach (var folder in Directory.GetDirectories(appRoot).Order(StringComparer.OrdinalIgnoreCase))
        {
            var name = Path.GetFileName(folder);
            var file = Path.Combine(folder, "function.json");
            if (File.Exists(file) && (filter.Count == 0 || filter.Contains(name, StringComparer.OrdinalIgnoreCase)))
            {
                functions.Add(ReadOne(name, file, settings));
            }
        }

        return functions;
    }

    private static FunctionDefinition ReadOne(string name, string file, AppSettings settings)
    {
        JsonObject json = [];
        try
        {
            json = JsonNode.Parse(File.ReadAllText(file), documentOptions: Lenient) as JsonObject ?? throw new FunctionAppException("the file is not a JSON object.");
            if (!NamePattern().IsMatch(name) || name.Equals("host", StringComparison.OrdinalIgnoreCase))
            {
                throw new FunctionAppException($"'{name}' is no function name; expected a letter, then at most 127 of A-Z a-z 0-9 _ -, and not 'host'.");
            }

            return new FunctionDefinition
            {
                Name = name,
                Json = json,
                Bindings = ReadBindings(json),
                IsDisabled = IsDisabled(name, json, settings),
                Retry = ReadRetry(json),
            };
        }
        catch (Exception exception) when (exception is JsonException or FunctionAppException or FormatException or InvalidOperationException or IOException)
        {
            return new FunctionDefinition { Name = name, Json = json, Error = $"{name}/function.json: {exception.Message}" };
        }
    }

    private static List<BindingDefinition> ReadBindings(JsonObject json)
    {
        var bindings = new List<BindingDefinition>();
        foreach (var node in json["bindings"] as JsonArray ?? throw new FunctionAppException("it has no array 'bindings'."))
        {
            var binding = node as JsonObject ?? throw new FunctionAppException("a binding is not a JSON object.");
            var type = binding["type"]?.ToString() ?? throw new FunctionAppException("a binding has no 'type'.");
            var read = new BindingDefinition(
                type.ToLowerInvariant(),
                (binding["direction"]?.ToString() ?? "in").ToLowerInvariant(),
                binding["name"]?.ToString() ?? throw new FunctionAppException($"the binding of type '{type}' has no 'name'."),
                binding);
            if (read.Direction is not ("in" or "out" or "inout"))
            {
                throw new FunctionAppException($"the binding '{read.Name}' has the direction '{read.Direction}'; expected in, out or inout.");
            }

            if (!BindingTypes.All.Contains(read.Type))
            {
                throw new FunctionAppException($"the binding '{read.Name}' has the type '{type}', which this host does not serve; it serves httpTrigger, queueTrigger, timerTrigger, http and queue. Run the app under 'func start' for the others.");
            }

            if (read.Type == BindingTypes.HttpTrigger)
            {
                CheckHttpTrigger(read);
            }

            bindings.Add(read);
        }

        var triggers = bindings.Count(binding => binding.IsTrigger);
        return triggers == 1 ? bindings : throw new FunctionAppException($"it has {triggers} triggers; expected exactly one.");
    }

    private static void CheckHttpTrigger(BindingDefinition trigger)
    {
        if (trigger.Json["methods"] is { } methods && !(methods is JsonArray verbs && verbs.All(verb => verb?.GetValueKind() == JsonValueKind.String)))
        {
            throw new FunctionAppException($"methods is {methods.ToJsonString()}; expected an array such as [\"get\", \"post\"].");
        }

        if (trigger.Text("authLevel") is { } level && level.ToLowerInvariant() is not ("anonymous" or "function" or "admin"))
        {
            throw new FunctionAppException($"authLevel is '{level}'; expected anonymous, function or admin.");
        }
    }

    private static bool IsDisabled(string name, JsonObject json, AppSettings settings)
    {
        var text = json["disabled"] switch
        {
            null => null,
            var value when value.GetValueKind() == JsonValueKind.String => settings[value.ToString().Trim('%')],
            var value => value.ToString(),
        };
        text = settings[$"AzureWebJobs.{name}.Disabled"] ?? settings[$"AzureWebJobs_{name}_Disabled"] ?? text;
        return text is "1" || (bool.TryParse(text, out var disabled) && disabled);
    }

    private static RetryPolicy? ReadRetry(JsonObject json)
    {
        if (json["retry"] is not JsonObject retry)
        {
            return null;
        }

        if (retry["maxRetryCount"] is not JsonValue number || !number.TryGetValue<int>(out var count) || count < -1)
        {
            throw new FunctionAppException($"retry.maxRetryCount is '{retry["maxRetryCount"]}'; expected a whole number, -1 for no end.");
        }

        TimeSpan Time(string key) => TimeSpan.TryParse(retry[key]?.ToString(), CultureInfo.InvariantCulture, out var time) && time >= TimeSpan.Zero && time <= RetryPolicy.LongestDelay
            ? time
            : throw new FunctionAppException($"retry.{key} is '{retry[key]}'; expected a time span such as 00:00:05.");
        return retry["strategy"]?.ToString().ToLowerInvariant() switch
        {
            "fixeddelay" => new RetryPolicy(count, Time("delayInterval"), Time("delayInterval")),
            "exponentialbackoff" => new RetryPolicy(count, Time("minimumInterval"), Time("maximumInterval")),
            var other => throw new FunctionAppException($"retry.strategy is '{other}'; expected fixedDelay or exponentialBackoff."),
        };
    }

    [GeneratedRegex(@"^[A-Za-z][A-Za-z0-9_-]{0,127}\z", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex NamePattern();
}
