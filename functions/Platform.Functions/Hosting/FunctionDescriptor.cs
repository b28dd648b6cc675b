using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Platform.Functions.Hosting;

/// <summary>A function as its attributes describe it.</summary>
internal sealed record FunctionDescriptor
{
    public required string Name { get; init; }

    public required Type Type { get; init; }

    public required MethodInfo Method { get; init; }

    public required ParameterInfo TriggerParameter { get; init; }

    public required TriggerAttribute Trigger { get; init; }

    /// <summary>Outputs in the order of <c>function.json</c>; an HTTP function always has one of type <c>http</c>.</summary>
    public required IReadOnlyList<OutputDescriptor> Outputs { get; init; }

    /// <summary>Null: the host does not retry by itself.</summary>
    public RetryAttribute? Retry { get; init; }

    /// <summary>The function as an invocation sees it.</summary>
    public FunctionDefinition Definition => field ??= new(Name, $"{Type.FullName}.{Method.Name}", Type.Assembly.Location);

    public HttpTriggerAttribute? HttpTrigger => Trigger as HttpTriggerAttribute;

    /// <summary>True if the host passes requests through as they are: an HTTP trigger, an HTTP response, and nothing else.</summary>
    public bool IsRawHttp => HttpTrigger is not null && Outputs is [{ IsHttp: true }];

    /// <summary>The content of <c>function.json</c>.</summary>
    public JsonObject ToFunctionJson()
    {
        var trigger = Describe(Trigger, "in", TriggerParameter.Name!);
        if (HttpTrigger is null && TriggerParameter.ParameterType == typeof(byte[]))
        {
            trigger["dataType"] = "binary";
        }

        var bindings = new JsonArray { trigger };
        foreach (var output in Outputs)
        {
            bindings.Add(Describe(output.Attribute, "out", output.Name));
        }

        var json = new JsonObject { ["bindings"] = bindings };
        if (Retry is not null)
        {
            json["retry"] = Retry.Describe();
        }

        return json;
    }

    private static JsonObject Describe(BindingAttribute attribute, string direction, string name)
    {
        var binding = new JsonObject { ["type"] = attribute.BindingType, ["direction"] = direction, ["name"] = name };
        attribute.Describe(binding);
        return binding;
    }
}

/// <summary>One output: its name in the envelope and the property that holds it, or null for the whole return value.</summary>
internal sealed record OutputDescriptor(string Name, OutputAttribute Attribute, PropertyInfo? Property)
{
    public const string ReturnValue = "$return";

    public const string HttpResponse = "res";

    public bool IsHttp => Attribute is HttpResultAttribute;

    /// <summary>The value of this output in what the function returned.</summary>
    public object? Read(object? returned) => Property is null || returned is null ? returned : Property.GetValue(returned);

    public static OutputDescriptor FromProperty(PropertyInfo property, OutputAttribute attribute) =>
        new(attribute is HttpResultAttribute ? HttpResponse : JsonNamingPolicy.CamelCase.ConvertName(property.Name), attribute, property);
}
