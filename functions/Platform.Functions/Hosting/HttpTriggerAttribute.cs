using System.Text.Json.Nodes;

namespace Platform.Functions.Hosting;

/// <summary>Who may call an HTTP function.</summary>
public enum AuthorizationLevel
{
    /// <summary>Anybody.</summary>
    Anonymous,

    /// <summary>Holders of a key of the function, a host-wide function key, or the master key.</summary>
    Function,

    /// <summary>Holders of the master key.</summary>
    Admin,
}

/// <summary>Runs the function for each HTTP request on its route. The parameter is the <see cref="HttpRequest"/>, <see cref="HttpRequestData"/>, or a type that is read from the JSON body.</summary>
/// <param name="level">Who may call; the host checks it.</param>
/// <param name="methods">Verbs that the function answers; all if none is given.</param>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class HttpTriggerAttribute(AuthorizationLevel level, params string[] methods) : TriggerAttribute
{
    /// <summary>Answers at <see cref="AuthorizationLevel.Function"/>.</summary>
    public HttpTriggerAttribute(params string[] methods)
        : this(AuthorizationLevel.Function, methods)
    {
    }

    /// <summary>Who may call.</summary>
    public AuthorizationLevel AuthLevel { get; } = level;

    /// <summary>Verbs; empty for all.</summary>
    public IReadOnlyList<string> Methods { get; } = methods;

    /// <summary>Route template below the host's route prefix, as in ASP.NET Core; null: the function's name.</summary>
    public string? Route { get; set; }

    internal override string BindingType => "httpTrigger";

    internal override void Describe(JsonObject binding)
    {
        binding["authLevel"] = AuthLevel.ToString().ToLowerInvariant();
        if (Methods.Count > 0)
        {
            binding["methods"] = new JsonArray([.. Methods.Select(method => (JsonNode)method.ToLowerInvariant())]);
        }

        if (Route is not null)
        {
            binding["route"] = Route;
        }
    }
}

/// <summary>Marks the property of a returned type that is the HTTP response, where the type has further outputs.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class HttpResultAttribute : OutputAttribute
{
    internal override string BindingType => "http";
}
