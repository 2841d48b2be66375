package jdiffusion.model.device;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import jdiffusion.tensor.InputException;

/**
 * The devices that a user names between commas, of one kind: one, or two for the two branches of guidance.
 *
 * @param kind     auto, cpu, cuda or emulated
 * @param ordinals the number of each among its kind
 */
record DeviceNames(String kind, List<Integer> ordinals) {
    private static final List<String> NUMBERED = List.of("cuda", "emulated");
    private static final int MOST = 2;

    /** @throws InputException that says what can be named */
    static DeviceNames of(String given) {
        String[] names = given.toLowerCase(Locale.ROOT).split(",", -1);
        if (names.length == 1) {
            return one(given, names[0].strip());
        }
        if (names.length > MOST) {
            throw new InputException("--device " + given + " names " + names.length + " devices; guidance has two"
                    + " branches, so name one or two");
        }
        String kind = "";
        List<Integer> ordinals = new ArrayList<>();
        for (String name : names) {
            DeviceNames one = one(given, name.strip());
            if (!NUMBERED.contains(one.kind)) {
                throw new InputException("--device " + given + ": two devices may be cuda:0,cuda:1 or emulated,emulated;"
                        + " the CPU is one device, whose cores --threads shares out");
            }
            if (!kind.isEmpty() && !kind.equals(one.kind)) {
                throw new InputException("--device " + given + " names devices of two kinds, whose numbers differ in the"
                        + " last bits; name two of one kind");
            }
            kind = one.kind;
            // Emulated devices are as many as are named.
            boolean next = name.strip().equals("emulated");
            int ordinal = next ? ordinals.size() : one.ordinals.getFirst();
            if (ordinals.contains(ordinal)) {
                throw new InputException("--device " + given + " names " + kind + ":" + ordinal
                        + " twice; name two different devices, or one");
            }
            ordinals.add(ordinal);
        }
        return new DeviceNames(kind, ordinals);
    }

    private static DeviceNames one(String given, String name) {
        if (name.equals("auto") || name.equals("cpu")) {
            return new DeviceNames(name, List.of(0));
        }
        for (String kind : NUMBERED) {
            if (name.equals(kind)) {
                return new DeviceNames(kind, List.of(0));
            }
            if (name.matches(kind + ":[0-9]{1,9}")) {
                return new DeviceNames(kind, List.of(Integer.parseInt(name.substring(kind.length() + 1))));
            }
        }
        throw new InputException("--device " + given + " is unknown; " + Devices.KNOWN);
    }

    boolean isPair() {
        return ordinals.size() == MOST;
    }

    /** As a user names one of them. */
    String label(int i) {
        return kind + ":" + ordinals.get(i);
    }
}
