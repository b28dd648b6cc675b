using System.Reflection;
using System.Text.RegularExpressions;

namespace Platform.Functions.Hosting;

/// <summary>Finds the functions of an assembly and checks their declarations, all faults at once.</summary>
internal static partial class FunctionDiscovery
{
    /// <summary>The functions of <paramref name="assembly"/>, by name.</summary>
    /// <exception cref="InvalidOperationException">A declaration is wrong; the message names each fault.</exception>
    public static IReadOnlyList<FunctionDescriptor> Find(Assembly assembly)
    {
        var faults = new List<string>();
        var functions = new List<FunctionDescriptor>();
        foreach (var type in assembly.GetTypes())
        {
            foreach (var method in type.GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly))
            {
                if (method.GetCustomAttribute<FunctionAttribute>() is { } attribute)
                {
                    Add(attribute.Name, type, method, functions, faults);
                }
            }
        }

        foreach (var twins in functions.GroupBy(function => function.Name, StringComparer.OrdinalIgnoreCase).Where(group => group.Count() > 1))
        {
            faults.Add($"Function '{twins.Key}' is declared {twins.Count()} times; names are unique in an app, whatever their case.");
        }

        return faults.Count == 0
            ? [.. functions.OrderBy(function => function.Name, StringComparer.Ordinal)]
            : throw new InvalidOperationException(string.Join(Environment.NewLine, faults));
    }

    private static void Add(string name, Type type, MethodInfo method, List<FunctionDescriptor> functions, List<string> faults)
    {
        if (!NamePattern().IsMatch(name) || name.Equals("host", StringComparison.OrdinalIgnoreCase))
        {
            faults.Add($"'{name}' on {type.Name}.{method.Name} is no function name; expected a letter, then at most 127 of A-Z a-z 0-9 _ -, and not 'host'.");
            return;
        }

        var triggers = method.GetParameters()
            .Select(parameter => (Parameter: parameter, Attribute: parameter.GetCustomAttribute<TriggerAttribute>()))
            .Where(candidate => candidate.Attribute is not null)
            .ToList();
        if (triggers.Count != 1)
        {
            faults.Add($"Function '{name}' ({type.Name}.{method.Name}) has {triggers.Count} parameters with a trigger; expected exactly one.");
            return;
        }

        functions.Add(new FunctionDescriptor
        {
            Name = name,
            Type = type,
            Method = method,
            TriggerParameter = triggers[0].Parameter,
            Trigger = triggers[0].Attribute!,
            Outputs = FindOutputs(method, triggers[0].Attribute!),
            Retry = method.GetCustomAttribute<RetryAttribute>(),
        });
    }

    private static List<OutputDescriptor> FindOutputs(MethodInfo method, TriggerAttribute trigger)
    {
        var outputs = method.GetCustomAttributes<OutputAttribute>().Select(attribute => new OutputDescriptor(OutputDescriptor.ReturnValue, attribute, null)).ToList();
        var properties = ReturnTypes.Awaited(method.ReturnType).GetProperties();
        foreach (var property in properties)
        {
            if (property.GetCustomAttribute<OutputAttribute>() is { } attribute)
            {
                outputs.Add(OutputDescriptor.FromProperty(property, attribute));
            }
        }

        // Beside other outputs, a property of this type is the response, marked or not.
        if (trigger is HttpTriggerAttribute && outputs.Count > 0 && !outputs.Any(output => output.IsHttp) && Array.Find(properties, property => property.PropertyType == typeof(HttpResponseData)) is { } response)
        {
            outputs.Add(OutputDescriptor.FromProperty(response, new HttpResultAttribute()));
        }

        if (trigger is HttpTriggerAttribute && outputs.Count == 0)
        {
            outputs.Add(new OutputDescriptor(OutputDescriptor.HttpResponse, new HttpResultAttribute(), null));
        }

        return outputs;
    }

    [GeneratedRegex(@"^[A-Za-z][A-Za-z0-9_-]{0,127}\z", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex NamePattern();
}
